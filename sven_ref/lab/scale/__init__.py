"""What one Sven step costs past one machine: operations summed (`step_cost`), and the tables of it (`tables`)."""
