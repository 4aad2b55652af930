"""`soapbridge demo company`: an exporter's month in two minutes.

    files.py      the company's settings, partners' files and mappings, as a user would write them
    systems.py    its systems: an ERP process, a CRM, a shop's and a bank's database, the accounting's staging tables
    month.py      what happens: records move by flows, things go wrong, people mend them, all is reconciled

The settings are complete: `--keep FOLDER` leaves them, to be read and changed.
"""
