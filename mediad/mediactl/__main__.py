"""`python -m mediad.mediactl`."""

import sys

from mediad.mediactl import main

sys.exit(main())
