"""AVR assembly: encode, place, simulate and count instructions, without any outside tool."""
