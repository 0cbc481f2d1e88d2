"""
Proves on this machine that no crash, no failing disk and no power cut loses a photo: `python -m crash`.

The daemon is the real one, under ptrace. What is around it (a phone, iCloud) is served by small worlds that count.
"""
