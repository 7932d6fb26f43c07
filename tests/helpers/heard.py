"""A listener that writes down what it hears."""

from segcli.pipeline.listener import Listener


class Heard(Listener):
    """Keeps notes and warnings in their order."""

    def __init__(self):
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
