"""`bench decode`: decoding steps of models of true size, off and on, however a step is driven."""
