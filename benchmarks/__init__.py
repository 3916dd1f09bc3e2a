"""What offhook costs in CPU and memory, and how evenly it sends: `python -m benchmarks`; see docs/performance.md."""
