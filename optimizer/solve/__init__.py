"""Problems to solvers, answers back. One module per solver library; nothing else imports one."""
