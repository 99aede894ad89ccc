"""mixlogit.data"""
