"""Runnable applications on real MCP servers. They use only the public names of guarded_agents."""
