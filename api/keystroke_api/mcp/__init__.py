"""The MCP server at `/mcp`: workflows that are marked `tool=True` as tools, and tools to look after runs."""
