"""From trained weights to .tflite files and the C array, and what each form of the model is worth."""
