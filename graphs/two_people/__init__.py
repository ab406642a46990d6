"""A small desk where a refund takes two people: the application of the transcript in docs/approvals.md."""
