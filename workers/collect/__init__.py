"""How is a query answered? By the API server, by an agent, or from a bundle."""
