"""mixlogit.run"""
