"""`python -m gan_keras`."""

import sys

from gan_keras.cli import main

if __name__ == "__main__":
    sys.exit(main())
