"""How well mail is read, judged on labelled mails that stay outside the repository: `make accuracy`."""
