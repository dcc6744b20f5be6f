"""Networks: `mlp`, the perceptron, and `flat`, the layout of its parameters in θ."""
