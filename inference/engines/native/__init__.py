"""Run a GGUF model with a llama.cpp that was built for this very processor, and our own batches.

`library` opens it, `model` holds weights and vocabulary, `context` what has been computed; `template` makes tokens of
a conversation, `batching` is the one thread that computes, `engine` puts them behind `inference.engine.Engine`.
"""
