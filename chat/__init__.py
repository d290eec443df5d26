"""Conversations: the one turn pipeline, the websocket and the chat pages."""
