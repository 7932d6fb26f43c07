"""A small software renderer of street scenes with exact class masks; numpy and Pillow only."""
