import numpy
import pandas

print(pandas.Series(numpy.array([40, 2])).sum())
