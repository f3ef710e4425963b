"""The Gradio app's rooms: one file a tab, plain callbacks, every visible string in one place."""
