"""From noisy sine samples to .tflite files, their C array and a generated kernel."""
