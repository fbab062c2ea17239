"""``python -m kombu_zipkin.cli``: the console script where it is not on the path."""

from kombu_zipkin.cli import main

main()
