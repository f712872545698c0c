"""What `manage.py` commands of this app share: the terminal and how runs read in it."""
