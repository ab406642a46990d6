"""Does this value fit the schema that the tool declares? JSON Schema, offline and within limits."""

from guarded_agents.schema._validator import SchemaValidator, compile_schema

__all__ = ["SchemaValidator", "compile_schema"]
