"""What the losses share: series, costs, problems, nodes and graphs."""
