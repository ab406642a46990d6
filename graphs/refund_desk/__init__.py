"""A refund desk: orders, refunds in cents, and mails, one of which tries to instruct the model."""
