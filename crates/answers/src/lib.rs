//! What we tell outsiders: the decision at RCPT, every reply, page text, redaction.
