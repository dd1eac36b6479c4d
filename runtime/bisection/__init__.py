"""Who is guilty where a program does not compute what was declared, and a test that shows it.

What finds out that something is wrong stands in `runtime/certificate`; what mends it is a person.
"""
