"""Trade-offs between two or three metrics: fronts of efficient plans, with bounds."""
