"""offhook: a self-hosted Programmable Voice platform over SIP."""
