"""Which requirements of an instance cannot all be kept, where no plan exists."""
