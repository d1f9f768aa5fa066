"""Grade untrusted notebooks, and trust the marks.

python -m labgrade release conv --out handed-out
python -m labgrade grade submissions --bundle conv.bundle --out marks
"""
