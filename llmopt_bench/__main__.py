"""``python -m llmopt_bench`` is the command line."""

from llmopt_bench.cli import main

if __name__ == "__main__":
    main()
