"""The fully obedient simulation: what an attacker gets done where the model does whatever it reads (FACTS part D).

A *world* (`_world`) is a suite of user tasks and attacks over an environment with tools. It is served as an MCP server
in a process of its own (`_server`), driven by a scripted model that runs the user's calls and, once an injection has
reached its context, the attacker's (`_model`), through a graph that is guarded one way or not at all (`_variants`).
"""
