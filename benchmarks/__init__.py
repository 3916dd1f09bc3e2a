"""What offhook costs: CPU of a call and of a packet, pacing, memory (`python -m benchmarks`, docs/performance.md)."""
