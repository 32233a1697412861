"""AVR assembly: encode, place, simulate and count instructions, without outside tools. Imports no other kind."""
