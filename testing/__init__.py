"""The public test kit: fake network, scripted phone, customer webhooks."""
