"""mixlogit.cli"""
