"""What the chapters share and a practitioner does not need."""
