"""One file a group of plugins: does its setup take these arguments?"""
