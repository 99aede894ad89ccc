"""mixlogit.choice"""
