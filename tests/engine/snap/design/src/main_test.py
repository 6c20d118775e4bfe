# Its name keeps it out of the image.
