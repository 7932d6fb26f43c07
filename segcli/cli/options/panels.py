"""The headings under which `--help` groups the options that commands share."""

MODEL, PROTOCOL, OUTPUT, LOOKS = "Model", "Protocol", "Output", "Display"
