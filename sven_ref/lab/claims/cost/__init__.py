"""Claims of what a step costs: time, products, memory."""
