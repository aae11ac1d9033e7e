"""The command ``python -m chainer_sdtw.compat``."""

from chainer_sdtw.compat import main

if __name__ == "__main__":
    main()
