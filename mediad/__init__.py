"""mediad: gets a family's photos and videos out of the cloud and onto hardware they own."""

__version__ = "0.1.0"
