"""Programs: what one iteration does, as a listing of tensor instructions."""
