"""The guided server: OpenAI-compatible chat completions with the reminder and system prompt as they were measured."""
