"""The change side: orders, claims, and an order's way to its end."""
