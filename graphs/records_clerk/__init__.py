"""A records clerk: patient records with confidentiality labels, and an export to partners that is egress."""
